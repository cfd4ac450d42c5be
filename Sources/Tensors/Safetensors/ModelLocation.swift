/// The location of a model: one safetensors file, or several with an index.
struct ModelLocation {
    private let path: String
    private let isIndex: Bool
    /// The name of the model in errors.
    let name: String

    static let fileName = "model.safetensors"
    static let indexSuffix = ".index.json"

    /// Resolves a path; a directory stands for the model in it.
    init(_ path: String, called name: String) throws {
        guard RegularFile.kind(of: path) == .directory else {
            (self.path, self.name, isIndex) = (path, name, path.hasSuffix(Self.indexSuffix))
            return
        }
        let file = "\(path)/\(Self.fileName)", index = file + Self.indexSuffix
        let (hasFile, hasIndex) = (RegularFile.kind(of: file) != nil, RegularFile.kind(of: index) != nil)
        guard hasFile != hasIndex else {
            throw InputFileError(
                hasFile
                    ? "\(name) is a directory with both \(Self.fileName) and \(Self.fileName)\(Self.indexSuffix)"
                    : "\(name) is a directory without \(Self.fileName) and without \(Self.fileName)\(Self.indexSuffix)",
                hint: "give the path of the model's file or of its index"
            )
        }
        (self.path, isIndex) = (hasFile ? file : index, hasIndex)
        self.name = "\(name)/\(Self.fileName)" + (hasIndex ? Self.indexSuffix : "")
    }

    func open() throws -> any ByteSource {
        try isIndex ? ShardedSource(index: path, called: name) : FileSource(path: path, called: name)
    }
}
