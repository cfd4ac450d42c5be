/// What is wrong with a setting: which one, and what is expected.
public struct SettingProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// `section.key`, or `key`.
    public let key: String
    public let message: String

    public init(key: String, message: String) {
        self.key = key
        self.message = message
    }

    public var description: String { "\(key): \(message)" }
}
