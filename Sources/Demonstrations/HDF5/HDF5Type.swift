import CHDF5

/// The type of a dataset's elements.
struct HDF5Type: Equatable, CustomStringConvertible {
    enum Kind { case float, unsigned, signed, text, other }

    let kind: Kind
    let bytes: Int
    /// Whether all bits of a number count, as in memory; HDF5 also knows numbers of 12 bits in 16.
    let isWhole: Bool

    init(_ type: hid_t) {
        bytes = H5Tget_size(type)
        isWhole = H5Tget_precision(type) == 8 * bytes
        switch H5Tget_class(type) {
        case H5T_FLOAT: kind = .float
        case H5T_INTEGER: kind = H5Tget_sign(type) == H5T_SGN_NONE ? .unsigned : .signed
        case H5T_STRING: kind = .text
        default: kind = .other
        }
    }

    /// What images are made of.
    var isByte: Bool { kind == .unsigned && bytes == 1 && isWhole }
    var isNumber: Bool { kind == .float || kind == .unsigned || kind == .signed }

    /// As NumPy names it: "uint16", "float32".
    var description: String {
        switch kind {
        case .float: "float\(8 * bytes)"
        case .unsigned: isWhole ? "uint\(8 * bytes)" : "unsigned integers of fewer bits than \(8 * bytes)"
        case .signed: isWhole ? "int\(8 * bytes)" : "signed integers of fewer bits than \(8 * bytes)"
        case .text: "text"
        case .other: "something else than numbers"
        }
    }
}
