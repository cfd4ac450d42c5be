import CKernels
import Tensors

/// Bytes −127…127 and a float32 scale for each block of values: the largest magnitude of the block over 127.
struct Int8Encoding: UpdateEncoding {
    let layout: TensorLayout
    private let count: Int
    private let block: Int
    private var blocks: Int { (count + block - 1) / block }

    init(_ decoded: TensorLayout, block: Int) {
        count = decoded.elementCount
        self.block = block
        layout = TensorLayout([("scales", .f32, [(count + block - 1) / block]), ("values", .i8, [count])])
    }

    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int, of file: SafetensorsFile) throws {
        guard let out = values.baseAddress, !values.isEmpty else { return }
        let first = start / block, last = (start + values.count - 1) / block
        try withUnsafeTemporaryAllocation(of: Float.self, capacity: last - first + 1) { scales in
            try withUnsafeTemporaryAllocation(of: Int8.self, capacity: values.count) { bytes in
                try file.read(into: UnsafeMutableRawBufferPointer(scales), at: first * 4)
                try file.read(into: UnsafeMutableRawBufferPointer(bytes), at: blocks * 4 + start)
                for number in first...last {
                    let from = max(start, number * block) - start,
                        to = min(start + values.count, (number + 1) * block) - start
                    kumiai_expand_int8(bytes.baseAddress! + from, out + from, Int64(to - from), scales[number - first])
                }
            }
        }
    }

    func write(_ values: [Float], to writer: SafetensorsWriter) throws {
        var bytes = [Int8](repeating: 0, count: count)
        var scales = [Float](repeating: 0, count: blocks)
        values.withUnsafeBufferPointer { values in
            bytes.withUnsafeMutableBufferPointer { bytes in
                for number in 0..<blocks {
                    let start = number * block, length = min(block, count - start)
                    scales[number] = kumiai_largest_magnitude(values.baseAddress! + start, Int64(length)) / 127
                    kumiai_round_int8(
                        values.baseAddress! + start,
                        bytes.baseAddress! + start,
                        Int64(length),
                        scales[number]
                    )
                }
            }
        }
        try writer.append(scales)
        try bytes.withUnsafeBytes { try writer.append($0) }
    }
}
