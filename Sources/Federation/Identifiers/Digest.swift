/// A SHA-256 digest: 32 bytes.
public struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let byteCount = 32

    // Four words instead of an array, because digests are copied and compared everywhere.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Creates a digest from its bytes; `nil` unless there are exactly 32.
    ///
    /// - Parameter bytes: The bytes, which are copied; they need no alignment.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// Creates a digest from its bytes; `nil` unless there are exactly 32.
    ///
    /// - Parameter bytes: The bytes.
    public init?(_ bytes: [UInt8]) {
        guard let digest = bytes.withUnsafeBytes(Self.init) else { return nil }
        self = digest
    }

    /// Parses 64 hexadecimal digits; returns `nil` if `hex` is anything else.
    ///
    /// - Parameter hex: The digits, in lower or upper case, without a prefix or spaces.
    public init?(hex: String) {
        var bytes: [UInt8] = []
        var high: UInt8?
        guard hex.utf8.count == 2 * Self.byteCount else { return nil }
        for character in hex.utf8 {
            guard let digit = Self.value(ofHexDigit: character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        self.init(bytes)
    }

    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: words.0.bigEndian, toByteOffset: 0, as: UInt64.self)
            raw.storeBytes(of: words.1.bigEndian, toByteOffset: 8, as: UInt64.self)
            raw.storeBytes(of: words.2.bigEndian, toByteOffset: 16, as: UInt64.self)
            raw.storeBytes(of: words.3.bigEndian, toByteOffset: 24, as: UInt64.self)
            count = Self.byteCount
        }
    }

    public var hex: String { hexadecimal(bytes) }
    /// The first twelve hexadecimal digits, for display.
    public var short: String { String(hex.prefix(12)) }
    public var description: String { hex }

    /// Whether two digests have the same bytes. The time may depend on the bytes: a digest is not a secret.
    ///
    /// - Parameters:
    ///   - a: A digest.
    ///   - b: Another digest.
    public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }
    /// Whether a digest precedes another in the lexicographic order of their bytes.
    ///
    /// - Parameters:
    ///   - a: The digest that may precede.
    ///   - b: The digest that may follow.
    public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }
    /// Feeds the first eight bytes to a hasher, which suffices to spread digests over a table.
    ///
    /// - Parameter hasher: The hasher to feed.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    private static func value(ofHexDigit character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// Returns the bytes as lower-case hexadecimal digits.
///
/// - Parameter bytes: The bytes to write, first byte first.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
