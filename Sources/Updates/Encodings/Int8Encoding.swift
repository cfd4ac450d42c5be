import CKernels
import Tensors

/// Bytes from −127 to 127 and, for each block of values, a float32 scale: the block's largest magnitude over 127.
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
                try file.read(into: UnsafeMutableRawBufferPointer(scales), at: first * ElementType.f32.byteCount)
                try file.read(
                    into: UnsafeMutableRawBufferPointer(bytes),
                    at: blocks * ElementType.f32.byteCount + start
                )
                for number in first...last {
                    let from = max(start, number * block) - start,
                        to = min(start + values.count, (number + 1) * block) - start
                    kumiai_expand_int8(bytes.baseAddress! + from, out + from, Int64(to - from), scales[number - first])
                }
            }
        }
    }

    func write(_ values: any ValueSource, to writer: SafetensorsWriter) throws {
        let scales = try scales(of: values)
        try writer.append(scales)
        var bytes = [Int8](repeating: 0, count: min(count, readElements))
        try forEachPart(of: values) { part, first in
            bytes.withUnsafeMutableBufferPointer { bytes in
                forEachBlock(of: part) { range, number in
                    let values = part.baseAddress! + range.lowerBound, target = bytes.baseAddress! + range.lowerBound
                    kumiai_round_int8(values, target, Int64(range.count), scales[first + number])
                }
            }
            try bytes[..<part.count].withUnsafeBytes { try writer.append($0) }
        }
    }

    private func scales(of values: any ValueSource) throws -> [Float] {
        var scales: [Float] = []
        scales.reserveCapacity(blocks)
        try forEachPart(of: values) { part, _ in
            try requireFinite(part)
            forEachBlock(of: part) { range, _ in
                scales.append(kumiai_largest_magnitude(part.baseAddress! + range.lowerBound, Int64(range.count)) / 127)
            }
        }
        return scales
    }

    /// Values that are read at a time: whole blocks.
    private var readElements: Int { max(1, ValueBlocks.elements / block) * block }

    /// Calls `body` with all values in order, some whole blocks at a time, and the number of the first of these.
    private func forEachPart(
        of values: any ValueSource,
        _ body: (UnsafeBufferPointer<Float>, _ firstBlock: Int) throws -> Void
    ) throws {
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(1, min(count, readElements)))
        defer { buffer.deallocate() }
        buffer.initialize(repeating: 0)
        for start in stride(from: 0, to: count, by: readElements) {
            let part = UnsafeMutableBufferPointer(rebasing: buffer[..<min(readElements, count - start)])
            try values.read(part, from: start)
            try body(UnsafeBufferPointer(part), start / block)
        }
    }

    /// Calls `body` with the range of each block of `part`, and its number in it.
    private func forEachBlock(of part: UnsafeBufferPointer<Float>, _ body: (Range<Int>, Int) -> Void) {
        for (number, start) in stride(from: 0, to: part.count, by: block).enumerated() {
            body(start..<min(part.count, start + block), number)
        }
    }
}
