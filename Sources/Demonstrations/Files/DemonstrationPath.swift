import Contracts
import Glibc

/// The kind of file at the path of the demonstrations.
enum DemonstrationPath {
    case file, directory

    /// Determines the kind without opening the file, because opening a FIFO would block and a device has no end.
    ///
    /// - Throws: `ContractError` if there is neither a regular file nor a directory.
    init(_ path: String) throws {
        guard !path.utf8.contains(0) else {
            throw ContractError("the path of the demonstrations contains a NUL character")
        }
        var status = stat()
        guard stat(path, &status) == 0 else {
            let problem = errno
            throw ContractError(
                problem == ENOENT
                    ? "\(path) does not exist" : "\(path) cannot be read: \(String(cString: strerror(problem)))"
            )
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: self = .file
        case S_IFDIR: self = .directory
        case let other:
            throw ContractError(
                "\(path) is a \(Self.name(other)), not a file",
                hint: "demonstrations are an HDF5 file, or a directory of ALOHA files"
            )
        }
    }

    private static func name(_ type: mode_t) -> String {
        switch type {
        case S_IFIFO: "FIFO"
        case S_IFSOCK: "socket"
        case S_IFCHR: "character device"
        case S_IFBLK: "block device"
        default: "special file"
        }
    }
}
