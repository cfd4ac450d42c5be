import CKernels

/// The sum of the squares of float32 values, in float64 and in a fixed order that does not depend on how the bytes are
/// split.
///
/// Blocks of ``blockElements`` values are summed in 16 lanes, value k in lane k mod 16; then the lanes are added, then
/// the blocks.
struct SquaresSum: Sendable {
    /// 1 MiB of values, which stays in the CPU cache.
    static let blockElements = 256 * 1024
    private static let valueBytes = MemoryLayout<Float>.size

    private var sum = 0.0
    private var lanes = [Double](repeating: 0, count: 16)
    /// The number of values of the current block.
    private var count = 0
    /// The first bytes of a value that was split between two calls.
    private var rest: [UInt8] = []

    /// The sum of all complete values so far.
    var value: Double { sum + lanes.reduce(0, +) }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        if !rest.isEmpty {
            start = min(Self.valueBytes - rest.count, bytes.count)
            rest += bytes[..<start]
            guard rest.count == Self.valueBytes else { return }
            let whole = rest
            rest = []
            whole.withUnsafeBytes { addValues($0) }
        }
        let whole = (bytes.count - start) / Self.valueBytes * Self.valueBytes
        addValues(UnsafeRawBufferPointer(rebasing: bytes[start..<start + whole]))
        rest += bytes[(start + whole)...]
    }

    private mutating func addValues(_ bytes: UnsafeRawBufferPointer) {
        var done = 0
        while done < bytes.count / Self.valueBytes {
            let part = min(bytes.count / Self.valueBytes - done, Self.blockElements - count)
            lanes.withUnsafeMutableBufferPointer {
                kumiai_add_squares(
                    $0.baseAddress,
                    bytes.baseAddress! + done * Self.valueBytes,
                    Int64(part),
                    Int64(count)
                )
            }
            (done, count) = (done + part, count + part)
            if count == Self.blockElements { endBlock() }
        }
    }

    private mutating func endBlock() {
        sum += lanes.reduce(0, +)
        for lane in lanes.indices { lanes[lane] = 0 }
        count = 0
    }
}
