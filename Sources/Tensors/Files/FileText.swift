/// Writes small text files.
enum FileText {
    /// Writes a file, which is durable when this returns.
    static func write(_ text: String, to path: String) throws {
        let sink = try FileSink(path: path)
        try Array(text.utf8).withUnsafeBytes { try sink.append($0) }
        try sink.finish()
    }
}
