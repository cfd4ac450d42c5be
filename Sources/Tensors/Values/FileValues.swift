/// The numbers of a file as float32, in the order of its data; its tensors are of any types that hold weights.
package struct FileValues: ValueSource {
    private let file: SafetensorsFile
    package let elementCount: Int
    /// For each tensor, the number of elements before it.
    private let starts: [Int]

    /// - Throws: `SafetensorsError` if a tensor holds no weights.
    package init(_ file: SafetensorsFile) throws {
        if let odd = file.layout.tensors.first(where: { !$0.type.holdsWeights }) {
            throw SafetensorsError(
                "\(odd.name) is \(odd.type.rawValue); expected F32, BF16 or F16",
                file: file.name
            )
        }
        self.file = file
        starts = file.layout.elementStarts
        elementCount = file.layout.elementCount
    }

    package func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) throws {
        var done = 0
        var index = tensor(at: start)
        while done < values.count {
            let tensor = file.layout.tensors[index], first = start + done - starts[index]
            let part = UnsafeMutableBufferPointer(
                rebasing: values[done..<min(values.count, done + tensor.elementCount - first)]
            )
            try file.readWeights(into: part, tensor.type, at: tensor.range.lowerBound + first * tensor.type.byteCount)
            done += part.count
            index += 1
        }
    }

    /// The last tensor that begins at this element or before it.
    private func tensor(at element: Int) -> Int {
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= element { low = middle } else { high = middle }
        }
        return low
    }
}
