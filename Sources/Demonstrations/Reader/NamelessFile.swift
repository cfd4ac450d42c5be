import Contracts
import Foundation

/// A file that only those see who hold it open; it goes with the last of them, however they end.
struct NamelessFile {
    let handle: FileHandle

    init(in directory: String) throws {
        let name = "\(directory)/kumiai-\(UUID().uuidString.lowercased())"
        let descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ContractError(
                "cannot write in \(directory): \(String(cString: strerror(errno)))",
                hint: "is there room, and may you write there?"
            )
        }
        unlink(name)
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// Leads to the file as long as ``handle`` is open.
    var path: String { "/proc/self/fd/\(handle.fileDescriptor)" }

    /// The same, where the file was handed over as a process's standard output.
    static let standardOutput = "/proc/self/fd/\(STDOUT_FILENO)"
}
