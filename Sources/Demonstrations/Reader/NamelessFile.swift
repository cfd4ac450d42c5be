import Contracts
import Foundation

/// A file without a name: only processes that have it open can use it, and it disappears when the last of them ends.
struct NamelessFile {
    let handle: FileHandle

    init(in directory: String) throws {
        let name = "\(directory)/kumiai-\(UUID().uuidString.lowercased())"
        let descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ContractError(
                "cannot write in \(directory): \(String(cString: strerror(errno)))",
                hint: "check the free disk space and the permissions of this directory"
            )
        }
        unlink(name)
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// A path of the file, valid while ``handle`` is open.
    var path: String { "/proc/self/fd/\(handle.fileDescriptor)" }

    /// The path of the file in a process whose standard output it is.
    static let standardOutput = "/proc/self/fd/\(STDOUT_FILENO)"
}
