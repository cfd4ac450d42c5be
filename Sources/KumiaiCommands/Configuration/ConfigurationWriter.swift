import Blobs
import Foundation
import Identity

/// Writes a configuration once; a file that is there already is kept.
enum ConfigurationWriter {
    /// `ignored`: the options of the command line that a kept file does not follow.
    /// `isPrivate`: it may come to hold a password.
    static func write<Role: RoleFile>(
        _ text: String, to path: String, isPrivate: Bool = false, ignored: (TOMLFile<Role>) throws -> [String]
    ) throws {
        guard FileManager.default.fileExists(atPath: path) else { return try write(new: text, to: path, isPrivate: isPrivate) }
        let options = try ignored(TOMLFile<Role>(path))
        guard !options.isEmpty else { return Terminal.note("\(path) exists already and was kept") }
        Terminal.note(
            """
            \(path) exists already and was kept; it has other values, so these options were ignored: \(options.joined(separator: ", ")). \
            Edit the file, or move it away and try again
            """)
    }

    static func write(new text: String, to path: String, isPrivate: Bool = false) throws {
        let folder = SystemDisk.folder(of: path)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try IdentityFile.create(Array(text.utf8), at: path, mode: isPrivate ? 0o600 : 0o644)
        } catch let error as IdentityError {
            throw error
        } catch {
            throw UsageError("cannot write \(path)", hint: "may you write there, is \(folder) a directory, and is the disk full?")
        }
        Terminal.note("wrote \(path)")
    }
}
