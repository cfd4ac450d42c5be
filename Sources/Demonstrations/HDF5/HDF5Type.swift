import CHDF5

/// The type of a dataset's elements.
struct HDF5Type: Equatable, CustomStringConvertible {
    enum Kind { case float, unsigned, signed, text, other }

    let kind: Kind
    let bytes: Int
    /// Whether all bits of a number are used; HDF5 also allows, for example, 12-bit numbers in 16 bits.
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

    /// Whether this is uint8, the type of images.
    var isByte: Bool { kind == .unsigned && bytes == 1 && isWhole }
    var isNumber: Bool { kind == .float || kind == .unsigned || kind == .signed }

    /// The type's NumPy name, for example "uint16" or "float32".
    var description: String {
        switch kind {
        case .float: "float\(8 * bytes)"
        case .unsigned: isWhole ? "uint\(8 * bytes)" : "unsigned integers of fewer than \(8 * bytes) bits"
        case .signed: isWhole ? "int\(8 * bytes)" : "signed integers of fewer than \(8 * bytes) bits"
        case .text: "text"
        case .other: "elements that are not numbers"
        }
    }
}
