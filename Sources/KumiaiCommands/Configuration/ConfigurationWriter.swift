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
            \(path) exists already and was kept; it says otherwise, so these options were ignored: \(options.joined(separator: ", ")). \
            Edit the file, or move it away and try again
            """)
    }

    static func write(new text: String, to path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        try OutputFile.makeDirectory(folder.isEmpty ? "." : folder)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        Terminal.note("wrote \(path)")
    }
}
