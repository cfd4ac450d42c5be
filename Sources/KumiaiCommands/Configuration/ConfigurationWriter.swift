import Foundation

/// Writes a configuration once; a file that is there already is kept.
enum ConfigurationWriter {
    /// `ignored`: the options of the command line that a kept file does not follow.
    static func write<Role: RoleFile>(_ text: String, to path: String, ignored: (TOMLFile<Role>) throws -> [String]) throws {
        guard FileManager.default.fileExists(atPath: path) else { return try write(new: text, to: path) }
        let options = try ignored(TOMLFile<Role>(path))
        guard !options.isEmpty else { return Terminal.note("\(path) exists already and was kept") }
        Terminal.note(
            """
            \(path) exists already and was kept; it has other values, so these options were ignored: \(options.joined(separator: ", ")). \
            Edit the file, or move it away and try again
            """)
    }

    static func write(new text: String, to path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        do {
            try FileManager.default.createDirectory(atPath: folder.isEmpty ? "." : folder, withIntermediateDirectories: true)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            throw UsageError("cannot write \(path)", hint: "may you write there, is \(folder) a directory, and is the disk full?")
        }
        Terminal.note("wrote \(path)")
    }
}
