import Blobs
import Foundation
import Identity

/// Writes a configuration once; a file that is there already is kept.
enum ConfigurationWriter {
    /// What became of a configuration; for `--json`.
    struct Outcome: Encodable {
        let path: String
        /// That a file was there.
        let kept: Bool
        /// The options of the command line that a kept file does not follow.
        let ignored: [String]
    }

    /// `ignored`: the options of the command line that a kept file does not follow.
    /// `isPrivate`: it may come to hold a password.
    static func write<Role: RoleFile>(
        _ text: String,
        to path: String,
        isPrivate: Bool = false,
        ignored: (TOMLFile<Role>) throws -> [String]
    ) throws -> Outcome {
        guard FileManager.default.fileExists(atPath: path) else {
            try write(new: text, to: path, isPrivate: isPrivate)
            return Outcome(path: path, kept: false, ignored: [])
        }
        let options = try ignored(TOMLFile<Role>(path))
        defer { printNotice(kept: path, options) }
        return Outcome(path: path, kept: true, ignored: options)
    }

    private static func printNotice(kept path: String, _ options: [String]) {
        guard !options.isEmpty else { return Terminal.printNotice("\(path) exists already and was kept") }
        Terminal.printNotice(
            """
            \(path) exists already and was kept; it has other values, so these options were ignored: \
            \(options.joined(separator: ", ")). Edit the file, or move it away and try again
            """
        )
    }

    static func write(new text: String, to path: String, isPrivate: Bool = false) throws {
        let folder = SystemDisk.folder(of: path)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try IdentityFile.create(Array(text.utf8), at: path, mode: isPrivate ? 0o600 : 0o644)
        } catch let error as IdentityError {
            throw error
        } catch {
            throw UsageError(
                "cannot write \(path)",
                hint: "may you write there, is \(folder) a directory, and is the disk full?"
            )
        }
        Terminal.printNotice("wrote \(path)")
    }
}
