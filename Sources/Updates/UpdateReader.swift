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

    /// Inspects all values.
    ///
    /// The squares are summed in float64 in a fixed order, so that an auditor gets the same number.
    ///
    /// - Returns: The Euclidean norm; infinite or NaN if a value is not finite.
    /// - Throws: `SafetensorsError` or `UpdateFormatError` if the file cannot be read or its encoding is not valid.
    public func inspectedNorm() throws -> Double {
        try encoding.check(file)
        var squares = SquaresSum()
        try forEachBlock { squares.add(UnsafeRawBufferPointer($0)) }
        return squares.value.squareRoot()
    }
}
