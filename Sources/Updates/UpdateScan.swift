import Tensors

/// Scans an update's file while its bytes arrive: its header and, if the values are float32, their norm.
///
/// What the scan finds need not be read from the disk again. A file that is not safetensors, or has an unusually long
/// header, is left to the reader of the file.
public struct UpdateScan: Sendable {
    private let byteCount: UInt64
    private var state = State.prefix
    private var head: [UInt8] = []
    private var seen: UInt64 = 0
    private var squares = SquaresSum()

    private enum State: Sendable {
        /// Reading the length of the header.
        case prefix
        case header(length: Int)
        case values
        case givenUp
    }

    /// The largest header to buffer until it is complete.
    static let longestHeader = 1 << 18

    /// Starts a scan, before the first bytes of the file.
    ///
    /// - Parameter byteCount: The size of the whole file.
    public init(byteCount: UInt64) { self.byteCount = byteCount }

    /// Processes the next bytes of the file.
    ///
    /// - Parameter bytes: The bytes that follow those of the earlier calls.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        seen += UInt64(bytes.count)
        var rest = bytes[...]
        if case .prefix = state, take(&rest, upTo: 8) { readPrefix() }
        if case .header(let length) = state, take(&rest, upTo: 8 + length) { state = .values }
        if case .values = state { squares.add(UnsafeRawBufferPointer(rebasing: rest)) }
    }

    /// Moves bytes to the header until it has `count`; returns whether it has.
    private mutating func take(_ rest: inout Slice<UnsafeRawBufferPointer>, upTo count: Int) -> Bool {
        let part = rest.prefix(count - head.count)
        head += part
        rest = rest.dropFirst(part.count)
        return head.count == count
    }

    private mutating func readPrefix() {
        guard let size = Int(exactly: byteCount), let length = try? SafetensorsHeader.length(head, fileByteCount: size),
            length <= Self.longestHeader
        else {
            return state = .givenUp
        }
        state = .header(length: length)
    }

    /// The result; `nil` before the end of the file, or if the file must be read.
    public var result: ScannedUpdate? {
        guard case .values = state, seen == byteCount,
            let header = try? SafetensorsHeader(json: Array(head[8...]), fileByteCount: Int(byteCount)),
            header.layout.isAllFloat32
        else { return nil }
        return ScannedUpdate(header: header, norm: squares.value.squareRoot())
    }
}

/// The scan of an update's file with float32 tensors, made when it arrived.
public struct ScannedUpdate: Sendable {
    let header: SafetensorsHeader
    /// The norm of all values; infinite or NaN if one is not finite.
    let norm: Double
}

extension UpdateFormat {
    /// Returns the norm of an update that was scanned as it arrived; `nil` if its encoding must be decoded first.
    ///
    /// - Parameter scanned: The result of the scan.
    /// - Throws: `UpdateFormatError` if it does not have the format that the plan requires.
    public func norm(of scanned: ScannedUpdate) throws -> Double? {
        let form = try form(of: scanned.header)
        return form.encoding is Float32Encoding ? scanned.norm : nil
    }
}
