import Tensors

/// The values of largest magnitude with their indices, in ascending order; all other values are 0.
struct TopKEncoding: UpdateEncoding {
    let layout: TensorLayout
    let kept: Int
    private let count: Int
    private static let pairsAtATime = 64 * 1024
    private static let indexBytes = ElementType.u32.byteCount
    private static let valueBytes = ElementType.f32.byteCount

    init(_ decoded: TensorLayout, fraction: Double) {
        count = decoded.elementCount
        kept = min(count, max(1, Int((Double(count) * fraction).rounded(.up))))
        layout = TensorLayout([("indices", .u32, [kept]), ("values", .f32, [kept])])
    }

    func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int, of file: SafetensorsFile) throws {
        guard !values.isEmpty else { return }
        values.update(repeating: 0)
        var place = try firstPlace(of: start, in: file)
        let end = start + values.count
        try withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.pairsAtATime) { indices in
            try withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.pairsAtATime) { numbers in
                while place < kept {
                    // At most this many pairs can still be in the range.
                    let size = min(Self.pairsAtATime, kept - place, values.count)
                    try file.read(
                        into: UnsafeMutableRawBufferPointer(
                            rebasing: UnsafeMutableRawBufferPointer(indices)[..<(size * Self.indexBytes)]
                        ),
                        at: place * Self.indexBytes
                    )
                    try file.read(
                        into: UnsafeMutableRawBufferPointer(
                            rebasing: UnsafeMutableRawBufferPointer(numbers)[..<(size * Self.valueBytes)]
                        ),
                        at: kept * Self.indexBytes + place * Self.valueBytes
                    )
                    for pair in 0..<size {
                        let index = Int(indices[pair])
                        guard index < end else { return }
                        // The condition can fail only in a file that was not checked, whose indices do not ascend.
                        if index >= start { values[index - start] = numbers[pair] }
                    }
                    place += size
                }
            }
        }
    }

    /// Returns the position of the first pair whose index is at least `number`.
    private func firstPlace(of number: Int, in file: SafetensorsFile) throws -> Int {
        var low = 0, high = kept
        while low < high {
            let middle = (low + high) / 2
            var index: UInt32 = 0
            try withUnsafeMutableBytes(of: &index) { try file.read(into: $0, at: middle * Self.indexBytes) }
            if Int(index) < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func check(_ file: SafetensorsFile) throws {
        var next = 0
        var indices = [UInt32](repeating: 0, count: min(kept, Self.pairsAtATime))
        for place in stride(from: 0, to: kept, by: indices.count) {
            let size = min(indices.count, kept - place)
            try indices.withUnsafeMutableBytes {
                try file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: $0[..<(size * Self.indexBytes)]),
                    at: place * Self.indexBytes
                )
            }
            for index in indices[..<size] {
                guard Int(index) >= next, Int(index) < count else {
                    throw UpdateFormatError("the file's indices do not ascend, or are not below \(count)")
                }
                next = Int(index) + 1
            }
        }
    }

    func write(_ values: any ValueSource, to writer: SafetensorsWriter) throws {
        let selection = try TopSelection(of: values, count: kept) { try requireFinite($0) }
        try selection.forEachBlock(of: values) { indices, _ in
            try indices.withUnsafeBytes { try writer.append($0) }
        }
        try selection.forEachBlock(of: values) { _, numbers in try writer.append(numbers) }
    }
}
