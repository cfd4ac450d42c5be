import CKernels
import Tensors

/// The values of an update's file as float32, whatever form they were sent in. Threads may read at once.
public struct UpdateReader: ValueSource {
    private let file: SafetensorsFile
    /// The tensors as they are once decoded.
    public let layout: TensorLayout
    /// Components of the adapter that the site trained; `nil` without LoRA.
    public let rank: Int?
    private let encoding: any UpdateEncoding

    init(file: SafetensorsFile, layout: TensorLayout, rank: Int?, encoding: any UpdateEncoding) {
        self.file = file
        self.layout = layout
        self.rank = rank
        self.encoding = encoding
    }

    public var elementCount: Int { layout.elementCount }

    /// Fills `values` with those from number `start` on.
    package func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) throws {
        try encoding.read(values, from: start, of: file)
    }

    /// The values of a range.
    public func values(_ range: Range<Int>) throws -> [Float] {
        // A factor that is not trained is not sent. Threads share Swift's empty array, and it would be written to
        // below.
        guard !range.isEmpty else { return [] }
        return try [Float](unsafeUninitializedCapacity: range.count) { buffer, count in
            buffer.initialize(repeating: 0)
            try read(UnsafeMutableBufferPointer(rebasing: buffer[..<range.count]), from: range.lowerBound)
            count = range.count
        }
    }

    /// Looks at everything: the Euclidean norm of all values; infinite or NaN where a value is not finite.
    ///
    /// Summed in float64 in a fixed order, so that an auditor finds the same number.
    public func inspectedNorm() throws -> Double {
        try encoding.check(file)
        let total = elementCount
        let block = UnsafeMutableBufferPointer<Float>.allocate(capacity: min(max(1, total), SquaresSum.blockElements))
        defer { block.deallocate() }
        block.initialize(repeating: 0)
        var squares = SquaresSum()
        for start in stride(from: 0, to: total, by: SquaresSum.blockElements) {
            let part = UnsafeMutableBufferPointer(rebasing: block[..<min(SquaresSum.blockElements, total - start)])
            try read(part, from: start)
            squares.add(UnsafeRawBufferPointer(part))
        }
        return squares.value.squareRoot()
    }
}
