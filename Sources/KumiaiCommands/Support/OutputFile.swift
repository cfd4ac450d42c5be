import Foundation

/// What a command writes: it appears whole or not at all, and what stood there stays until then.
enum OutputFile {
    /// Says before the work begins whether `path` can be written; makes the directories above it.
    static func prepare(_ path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
            throw UsageError("\(path) is a directory", hint: "name a file")
        }
        try makeDirectory(folder.isEmpty ? "." : folder)
    }

    /// Makes a directory that files can be written to.
    static func makeDirectory(_ path: String) throws {
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw UsageError("the directory \(path) cannot be made", hint: "is there a file of that name, or no permission to write there?")
        }
        guard access(path, W_OK) == 0 else { throw UsageError("\(path) cannot be written to", hint: "choose another place with --out") }
    }

    /// Calls `write` with a path beside the target, and moves what it wrote there.
    static func replace(_ path: String, _ write: (String) throws -> Void) throws {
        try prepare(path)
        let draft = path + ".new"
        defer { unlink(draft) }
        try write(draft)
        guard rename(draft, path) == 0 else { throw UsageError("cannot write \(path): \(String(cString: strerror(errno)))") }
    }
}
