import Glibc

/// File formats that users may confuse with a model or with demonstrations.
public enum ForeignFormat: Equatable, Sendable {
    case gitPointer
    case annexPointer
    case gzip
    case numpy
    case parquet
    case zip
    case pickle
    case hdf5
    case gguf
    case webPage
    case index
    case json
    case safetensors

    /// The number of bytes to examine: enough, because an index starts with its metadata.
    private static let prefixBytes = 4096

    /// Returns `nil` if it is none of these formats. Use it only if the file is not a valid safetensors file, whose
    /// first bytes, a length, could look like a pickle.
    init?(of source: any ByteSource) {
        var bytes = [UInt8](repeating: 0, count: min(source.byteCount, Self.prefixBytes))
        guard (try? bytes.withUnsafeMutableBytes({ try source.fill($0, at: 0) })) != nil else { return nil }
        self.init(bytes)
    }

    /// Examines the first bytes of a file; `nil` if it has none of these formats or cannot be read.
    ///
    /// - Parameter path: The file's path.
    public init?(at path: String) {
        guard let descriptor = try? RegularFile.open(path) else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.prefixBytes)
        guard
            let count = try? bytes.withUnsafeMutableBytes({
                try RegularFile.fill($0, from: descriptor, at: 0, called: path)
            })
        else { return nil }
        let start = Array(bytes[..<count])
        if let kind = Self(start) {
            self = kind
        } else if count > 8, start[8] == UInt8(ascii: "{"), start[6] == 0, start[7] == 0 {
            self = .safetensors
        } else {
            return nil
        }
    }

    init?(_ bytes: [UInt8]) {
        func begins(_ text: String) -> Bool { bytes.starts(with: text.utf8) }
        if begins("version https://git-lfs.github.com/spec/") {
            self = .gitPointer
        } else if begins("/annex/objects/") || begins("../.git/annex/") || begins(".git/annex/") {
            self = .annexPointer
        } else if bytes.starts(with: [0x1f, 0x8b]) {
            self = .gzip
        } else if bytes.starts(with: [0x93]), bytes.dropFirst().starts(with: "NUMPY".utf8) {
            self = .numpy
        } else if begins("PAR1") {
            self = .parquet
        } else if begins("PK\u{3}\u{4}") {
            self = .zip
        } else if bytes.count > 8, bytes[0] == 0x80, (2...5).contains(bytes[1]), bytes[8] != UInt8(ascii: "{") {
            self = .pickle
        } else if begins("(dp") || begins("(lp") || begins("ccollections\n") {
            self = .pickle
        } else if bytes.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]) {
            self = .hdf5
        } else if begins("GGUF") {
            self = .gguf
        } else if let kind = Self.text(bytes) {
            self = kind
        } else {
            return nil
        }
    }

    private static func text(_ bytes: [UInt8]) -> ForeignFormat? {
        let text = String(decoding: bytes.drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) }, as: UTF8.self)
        let start = text.prefix(16).lowercased()
        if start.hasPrefix("<!doctype html") || start.hasPrefix("<html") || start.hasPrefix("<?xml") { return .webPage }
        guard text.hasPrefix("{") else { return nil }
        return text.contains("\"weight_map\"") ? .index : .json
    }

    /// The format's name with its article.
    public var name: String {
        switch self {
        case .gitPointer: "a Git LFS pointer"
        case .annexPointer: "a git-annex pointer"
        case .gzip: "a gzip file"
        case .numpy: "a NumPy file"
        case .parquet: "a Parquet file"
        case .zip: "a zip archive"
        case .pickle: "a Python pickle"
        case .hdf5: "an HDF5 file"
        case .gguf: "a GGUF file"
        case .webPage: "a web page"
        case .index, .json: "a JSON file"
        case .safetensors: "a safetensors file"
        }
    }

    /// How to get the intended file, whatever its format; empty if there is no advice.
    public var remedy: String {
        switch self {
        case .gitPointer: "fetch the file itself: git lfs pull"
        case .annexPointer: "fetch the file itself: git annex get"
        case .gzip, .zip: "unpack it first"
        case .webPage: "download the file itself; the site may ask you to log in first"
        default: ""
        }
    }

    func error(_ name: String) -> InputFileError {
        switch self {
        case .gitPointer:
            InputFileError("\(name) is a Git LFS pointer, not the file that it points to", hint: remedy)
        case .annexPointer, .gzip, .numpy, .parquet, .safetensors:
            InputFileError("\(name) is \(self.name); expected a safetensors file", hint: remedy)
        case .zip:
            InputFileError(
                "\(name) is a zip archive, perhaps a PyTorch checkpoint (.pt, .pth); expected a safetensors file",
                hint: Self.convert
            )
        case .pickle:
            InputFileError(
                "\(name) is a Python pickle, perhaps a PyTorch checkpoint (.pt, .bin); expected a safetensors file",
                hint: Self.convert
            )
        case .hdf5:
            InputFileError(
                "\(name) is an HDF5 file; expected a safetensors file",
                hint: "are model and demonstrations in the right order?"
            )
        case .gguf:
            InputFileError(
                "\(name) is a GGUF file; expected a safetensors file",
                hint: "use the model from before its conversion to GGUF"
            )
        case .webPage: InputFileError("\(name) is a web page, not a model", hint: remedy)
        case .index:
            InputFileError(
                "\(name) is the index of a model in several files, but has another file name",
                hint: "rename it so that it ends with .index.json"
            )
        case .json:
            InputFileError(
                "\(name) is a JSON file; expected a safetensors file",
                hint: "give the path of the file with the weights, such as model.safetensors"
            )
        }
    }

    private static let convert =
        """
        if you trust its source, convert it in Python: safetensors.torch.save_file(state_dict, \
        \"model.safetensors\")
        """
}
