import Contracts
import CHDF5
import Tensors

/// An HDF5 file opened for reading, with every size bounded before it is allocated. No other file is opened for it.
///
/// libhdf5 is not thread-safe as Debian builds it: one thread at a time reads files, behind one lock.
final class HDF5File {
    let file: hid_t
    let path: String

    /// Limits of what is read; README.md lists them.
    static let maximumElements = 1 << 30
    static let maximumTextBytes = 64 * 1024
    /// Of all texts of a list together.
    static let maximumTextsBytes = 16 << 20
    /// Bytes in memory for each stored byte: deflate does not reach it.
    static let maximumCompression = 2048
    /// Soft links that are followed on the way to one object.
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
                    hint: "is it still being written, or was it copied as a whole?"
                )
            }
            throw ContractError("\(path) is \(kind.name), not an HDF5 file", hint: kind.remedy)
        }
    }

    deinit { H5Fclose(file) }

    func wrong(_ what: String, hint: String = "") -> ContractError { ContractError("\(path): \(what)", hint: hint) }
}
