/// The keys and values of a configuration: the part of TOML 1.0 that configurations use.
public struct TOMLDocument: Sendable {
    public struct Entry: Sendable {
        public let value: TOMLValue
        /// From 1.
        public let line: Int
    }

    /// What is not TOML, or not the part of it that is read here.
    public struct SyntaxError: Error, Equatable, Sendable {
        public let line: Int
        public let message: String
    }

    /// Sections by name, with the line of their heading.
    public internal(set) var sections: [String: Int] = [:]
    /// By `section.key`, or `key` before the first section.
    public internal(set) var entries: [String: Entry] = [:]

    /// Parses the text of a configuration.
    ///
    /// - Parameter text: The text of the whole file.
    /// - Throws: ``SyntaxError`` at the first thing that is not understood, or that is given twice.
    public init(_ text: String) throws(SyntaxError) {
        var reader = TOMLReader(text)
        self = try reader.document()
    }

    init() {}
}
