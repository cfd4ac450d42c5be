import Contracts
import CHDF5
import Tensors

/// An HDF5 file that is open for reading. Every size is checked before memory is allocated. No other file is opened.
///
/// Debian's build of libhdf5 is not thread-safe, so files are read by one thread at a time, on
/// ``DemonstrationFiles/queue``.
final class HDF5File {
    let file: hid_t
    let path: String

    /// Limits for files; README.md lists them.
    static let maximumElements = 1 << 30
    static let maximumTextBytes = 64 * 1024
    /// The size of all texts of a list together.
    static let maximumTextsBytes = 16 << 20
    /// The largest number of bytes in memory per stored byte; deflate cannot reach this ratio.
    static let maximumCompression = 2048
    /// The largest number of soft links that are followed to reach an object.
    static let maximumLinks = 16

    init(path: String) throws {
        self.path = path
        guard try DemonstrationPath(path) == .file else {
            throw ContractError("\(path) is a directory, not an HDF5 file")
        }
        H5Eset_auto2(hid_t(H5E_DEFAULT), nil, nil)
        file = H5Fopen(path, kumiai_h5f_read_only(), hid_t(H5P_DEFAULT))
        guard file >= 0 else {
            guard let kind = ForeignFormat(at: path), kind != .hdf5 else {
                throw ContractError(
                    "\(path) is not an HDF5 file, or was cut short",
                    hint: "wait until it is completely written or copied, and check that the copy is complete"
                )
            }
            throw ContractError("\(path) is \(kind.name), not an HDF5 file", hint: kind.remedy)
        }
    }

    deinit { H5Fclose(file) }

    func wrong(_ what: String, hint: String = "") -> ContractError { ContractError("\(path): \(what)", hint: hint) }
}
