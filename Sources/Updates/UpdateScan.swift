import Tensors

/// Looks at an update's file as its bytes pass: at its header, and at the norm of its values where they are float32.
///
/// What is found here need not be read from the disk again. A file that is no safetensors, or has a header of unusual
/// length, is left to those who read it.
public struct UpdateScan: Sendable {
    private let byteCount: UInt64
    private var state = State.prefix
    private var head: [UInt8] = []
    private var seen: UInt64 = 0
    private var squares = SquaresSum()

    private enum State: Sendable {
        /// The length of the header.
        case prefix
        case header(length: Int)
        case values
        case givenUp
    }

    /// Bytes of a header that is kept until all of it is there.
    static let longestHeader = 1 << 18

    /// - Parameter byteCount: of the whole file.
    public init(byteCount: UInt64) { self.byteCount = byteCount }

    /// Takes the next bytes of the file.
    public mutating func see(_ bytes: UnsafeRawBufferPointer) {
        seen += UInt64(bytes.count)
        var rest = bytes[...]
        if case .prefix = state, take(&rest, upTo: 8) { readPrefix() }
        if case .header(let length) = state, take(&rest, upTo: 8 + length) { state = .values }
        if case .values = state { squares.add(UnsafeRawBufferPointer(rebasing: rest)) }
    }

    /// Moves bytes to the head until it has `count`; returns whether it has.
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

    /// What was found; `nil` before the end of the file, and where it must be read.
    public var result: ScannedUpdate? {
        guard case .values = state, seen == byteCount,
            let header = try? SafetensorsHeader(json: Array(head[8...]), fileByteCount: Int(byteCount)),
            header.layout.isAllFloat32
        else { return nil }
        return ScannedUpdate(header: header, norm: squares.value.squareRoot())
    }
}

/// An update's file of float32 tensors as it was seen when it arrived.
public struct ScannedUpdate: Sendable {
    let header: SafetensorsHeader
    /// Of all values; infinite or NaN where one is not finite.
    let norm: Double
}

extension UpdateFormat {
    /// The norm of an update that was seen as it arrived; `nil` where its form says nothing without being decoded.
    /// - Throws: `UpdateFormatError` where it has not the form that the plan wants.
    public func norm(of scanned: ScannedUpdate) throws -> Double? {
        let form = try form(of: scanned.header)
        return form.encoding is Float32Encoding ? scanned.norm : nil
    }
}
