import CKernels
import Tensors

/// The values of an update's file as float32, whatever their encoding. Thread-safe.
public struct UpdateReader: ValueSource {
    private let file: SafetensorsFile
    /// The layout of the decoded tensors.
    public let layout: TensorLayout
    /// The number of adapter components that the site trained; `nil` without LoRA.
    public let rank: Int?
    private let encoding: any UpdateEncoding

    init(file: SafetensorsFile, layout: TensorLayout, rank: Int?, encoding: any UpdateEncoding) {
        self.file = file
        self.layout = layout
        self.rank = rank
        self.encoding = encoding
    }

    public var elementCount: Int { layout.elementCount }

    /// Fills `values` with the values from index `start` on.
    ///
    /// - Throws: `SafetensorsError` if they cannot be read.
    package func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) throws {
        try encoding.read(values, from: start, of: file)
    }

    /// Returns the values in a range.
    ///
    /// - Throws: `SafetensorsError` if they cannot be read.
    public func values(_ range: Range<Int>) throws -> [Float] {
        // A factor that is not trained is not sent, so its range is empty. All empty arrays share one storage object,
        // which must not be written to concurrently below.
        guard !range.isEmpty else { return [] }
        return try [Float](unsafeUninitializedCapacity: range.count) { buffer, count in
            buffer.initialize(repeating: 0)
            try read(UnsafeMutableBufferPointer(rebasing: buffer[..<range.count]), from: range.lowerBound)
            count = range.count
        }
    }

    /// Inspects all values.
    ///
    /// The squares are summed in float64 in a fixed order, so that an auditor gets the same number.
    ///
    /// - Returns: The Euclidean norm; infinite or NaN if a value is not finite.
    /// - Throws: `SafetensorsError` or `UpdateFormatError` if the file cannot be read or its encoding is not valid.
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
