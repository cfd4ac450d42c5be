import Glibc

/// Small files as a whole.
enum FileText {
    static func read(_ path: String, atMost limit: Int) throws -> [UInt8] {
        let source = try FileSource(path: path)
        guard source.byteCount <= limit else { throw SafetensorsError("\(path) has \(source.byteCount) bytes; at most \(limit) are taken") }
        var bytes = [UInt8](repeating: 0, count: source.byteCount)
        try bytes.withUnsafeMutableBytes { try source.fill($0, at: 0) }
        return bytes
    }

    /// Durable when this returns.
    static func write(_ text: String, to path: String) throws {
        let sink = try FileSink(path: path)
        try Array(text.utf8).withUnsafeBytes { try sink.append($0) }
        try sink.synchronise()
    }
}
