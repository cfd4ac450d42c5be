/// A name chosen by a user: 1 to 64 bytes of letters, digits, dots, hyphens and underscores, but neither `.` nor `..`.
///
/// Names become file names, SPIFFE path segments and table cells, so no other characters are allowed.
public protocol Name: Hashable, Comparable, Sendable, CustomStringConvertible {
    var text: String { get }
    /// Creates a name without a check.
    ///
    /// - Parameter text: A text for which `isValid(_:)` holds.
    init(unchecked text: String)
}

public let maximumNameBytes = 64

extension Name {
    /// Creates a name from text; `nil` if the text is not a valid name.
    ///
    /// - Parameter text: The text to check, of any length.
    public init?(_ text: String) {
        guard Self.isValid(text) else { return nil }
        self.init(unchecked: text)
    }

    /// Whether a text is a valid name: 1 to 64 bytes of letters, digits, dots, hyphens and underscores, but neither `.`
    /// nor `..`.
    ///
    /// - Parameter text: The text to check, of any length.
    public static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...maximumNameBytes).contains(bytes.count), text != ".", text != ".." else { return false }
        return bytes.allSatisfy(isNameByte)
    }

    public var description: String { text }
    /// Whether a name precedes another in the order of their texts.
    ///
    /// - Parameters:
    ///   - a: The name that may precede.
    ///   - b: The name that may follow.
    public static func < (a: Self, b: Self) -> Bool { a.text < b.text }
}

@inlinable func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: false
    }
}

@inlinable func isNameByte(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
}

/// A campaign, for example `FY2026-FY2027`.
public struct CampaignID: Name {
    public let text: String
    /// Creates a campaign's name without a check.
    ///
    /// - Parameter text: A text for which `isValid(_:)` holds.
    public init(unchecked text: String) { self.text = text }
}

/// A base model or a release, for example `FY2026`.
public struct ModelName: Name {
    public let text: String
    /// Creates a model's name without a check.
    ///
    /// - Parameter text: A text for which `isValid(_:)` holds.
    public init(unchecked text: String) { self.text = text }
}
