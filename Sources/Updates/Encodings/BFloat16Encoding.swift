import CKernels
import Tensors

/// The upper halves of float32 values, rounded to the nearest, ties to even.
struct BFloat16Encoding: UpdateEncoding {
    let layout: TensorLayout

    init(_ decoded: TensorLayout) {
        layout = TensorLayout(decoded.tensors.map { (name: $0.name, type: ElementType.bf16, shape: $0.shape) })
    }

    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int, of file: SafetensorsFile) throws {
        try withUnsafeTemporaryAllocation(of: UInt16.self, capacity: values.count) { halves in
            try file.read(into: UnsafeMutableRawBufferPointer(halves), at: start * 2)
            kumiai_expand_bfloat16(halves.baseAddress, values.baseAddress, Int64(values.count))
        }
    }

    func write(_ values: any ValueSource, to writer: SafetensorsWriter) throws {
        var halves = [UInt16](repeating: 0, count: min(values.elementCount, ValueBlocks.elements))
        try values.forEachBlock { block in
            try requireFinite(block)
            kumiai_round_bfloat16(block.baseAddress, &halves, Int64(block.count))
            try halves[..<block.count].withUnsafeBytes { try writer.append($0) }
        }
    }
}
