import CKernels
import Federation
import Tensors

/// Looks at every value of an update before it is taken in.
public enum UpdateInspector {
    /// Values read at a time: 1 MiB, which stays in the processor's cache.
    static let blockElements = 256 * 1024

    /// The Euclidean norm of all values; infinite or NaN where a value is not finite.
    ///
    /// Summed in float64 in a fixed order, so that an auditor finds the same number.
    public static func norm(of file: SafetensorsFile) throws -> Double {
        guard file.layout.isAllFloat32 else { throw SafetensorsError("a tensor is not F32") }
        let total = file.layout.elementCount
        let block = UnsafeMutableBufferPointer<Float>.allocate(capacity: min(max(1, total), blockElements))
        defer { block.deallocate() }
        var sum = 0.0
        for start in stride(from: 0, to: total, by: blockElements) {
            let count = min(blockElements, total - start)
            try file.read(into: UnsafeMutableRawBufferPointer(start: block.baseAddress, count: count * 4), at: start * 4)
            sum += kumiai_sum_of_squares(block.baseAddress, Int64(count))
        }
        return sum.squareRoot()
    }
}
