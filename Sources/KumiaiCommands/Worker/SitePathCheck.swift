import Contracts
import Demonstrations
import Foundation
import Tensors

/// The doctor's checks of the paths that worker.toml names. They open what is there, and make nothing.
enum SitePathCheck {
    /// Whether a worker of this user can use its data directory, or make it.
    static func data(_ path: String) throws -> String {
        guard let kind = RegularFile.kind(of: path) else {
            try requireWritable(existingFolder(above: path))
            return "\(path) is not there yet; the worker makes it"
        }
        guard kind == .directory else {
            throw UsageError(
                "\(path) is \(kind.rawValue), not a directory",
                hint: "name the worker's directory in worker.toml: data; a worker makes it if it is not there"
            )
        }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw UsageError("\(path) cannot be opened: \(String(cString: strerror(errno)))", hint: permission)
        }
        close(descriptor)
        try requireWritable(path)
        return path
    }

    /// Whether the demonstrations can be opened, also without a model to check them against.
    static func requireDemonstrations(_ path: String) throws {
        do { try DemonstrationReader.requireReadable(path) } catch let error as ContractError {
            let hint = "name the demonstrations in worker.toml: training.demonstrations"
            throw UsageError(error.message, hint: error.hint.isEmpty ? hint : error.hint)
        }
    }

    private static let permission = "run this command as the user that runs the worker, or correct the permissions"

    private static func existingFolder(above path: String) -> String {
        var folder = (path as NSString).deletingLastPathComponent
        while folder.count > 1, RegularFile.kind(of: folder) == nil {
            folder = (folder as NSString).deletingLastPathComponent
        }
        return folder.isEmpty ? "." : folder
    }

    private static func requireWritable(_ folder: String) throws {
        if let kind = RegularFile.kind(of: folder), kind != .directory {
            throw UsageError("\(folder) is \(kind.rawValue), not a directory", hint: "correct data in worker.toml")
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            throw UsageError("\(folder) cannot be written to: \(String(cString: strerror(errno)))", hint: permission)
        }
    }
}
