/// What is wrong with a setting: which one, and what is expected.
public struct SettingProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// `section.key`, or `key`.
    public let key: String
    public let message: String

    /// Creates a problem.
    ///
    /// - Parameters:
    ///   - key: The setting: `section.key`, or `key` before the first section.
    ///   - message: What is wrong, as it follows the key and a colon.
    public init(key: String, message: String) {
        self.key = key
        self.message = message
    }

    public var description: String { "\(key): \(message)" }
}
