/// Small texts as a whole.
enum FileText {
    /// Durable when this returns.
    static func write(_ text: String, to path: String) throws {
        let sink = try FileSink(path: path)
        try Array(text.utf8).withUnsafeBytes { try sink.append($0) }
        try sink.synchronise()
    }
}
