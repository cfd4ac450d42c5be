import Blobs
import Federation
import Identity
import Tensors

/// Takes a base model into the store: one file, or several, which become one.
public struct ModelImport {
    private let blobs: BlobStore

    package init(_ blobs: BlobStore) { self.blobs = blobs }

    /// Checks and copies the model at `path`; errors call it the base model.
    package func add(_ path: String) throws -> ModelReference {
        let name = "the base model \(path)", copy = blobs.temporaryPath()
        defer { blobs.discard(copy) }
        // What is checked is what was copied, also where the file changes meanwhile.
        try SafetensorsFile(path: path, called: name).copy(to: copy)
        let file = try SafetensorsFile(path: copy, called: name)
        try Self.check(file)
        let (digest, byteCount) = try blobs.adopt(copy)
        return ModelReference(digest: digest, layout: Digest(of: file.layout.canonicalBytes), byteCount: byteCount)
    }

    /// Throws where the file cannot be a base model; reads all of it.
    public static func check(_ file: SafetensorsFile) throws {
        let name = file.name.isEmpty ? "the base model" : file.name
        if let odd = file.layout.tensors.first(where: { $0.type != .f32 }) {
            throw CoordinatorError(
                "\(name) has \(odd.name) in \(odd.type.rawValue); expected F32",
                hint: "a base model is float32 in this version: convert it"
            )
        }
        guard file.layout.elementCount > 0 else { throw CoordinatorError("\(name) holds no numbers") }
        try file.checkFinite()
    }
}
