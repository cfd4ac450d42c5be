import CKernels
import Federation
import Tensors

/// How an update's values are stored in its file. Values are numbered in the order of the decoded layout.
///
/// Decoding gives the same float32 values on every machine.
protocol UpdateEncoding: Sendable {
    /// The layout of the file.
    var layout: TensorLayout { get }
    /// Fills `values` with the values from index `start` on. Must be thread-safe.
    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int, of file: SafetensorsFile) throws
    /// Checks what the layout cannot express.
    func check(_ file: SafetensorsFile) throws
    /// Writes the values, reading them as often as the form needs.
    ///
    /// - Throws: ``UpdateFormatError`` if a value is not finite.
    func write(_ values: any ValueSource, to writer: SafetensorsWriter) throws
}

extension UpdateEncoding {
    func check(_ file: SafetensorsFile) throws {}

    /// - Throws: ``UpdateFormatError`` if a value is NaN or infinite.
    func requireFinite(_ block: UnsafeBufferPointer<Float>) throws {
        guard kumiai_largest_magnitude(block.baseAddress, Int64(block.count)).isFinite else {
            throw UpdateFormatError("the update has values that are not finite: the training diverged")
        }
    }
}

extension Compression {
    func encoding(of layout: TensorLayout) -> any UpdateEncoding {
        switch self {
        case .none: Float32Encoding(layout: layout)
        case .bfloat16: BFloat16Encoding(layout)
        case .int8(let block): Int8Encoding(layout, block: block)
        case .topK(let fraction): TopKEncoding(layout, fraction: fraction)
        }
    }
}

struct Float32Encoding: UpdateEncoding {
    let layout: TensorLayout

    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int, of file: SafetensorsFile) throws {
        try file.read(into: UnsafeMutableRawBufferPointer(values), at: start * ElementType.f32.byteCount)
    }

    func write(_ values: any ValueSource, to writer: SafetensorsWriter) throws {
        try values.forEachBlock { block in
            try requireFinite(block)
            try writer.append(block)
        }
    }
}
