import Blobs
import Federation
import Identity
import Tensors

/// Imports a base model into the store, from one file or from several, which are merged into one.
package struct ModelImport {
    private let blobs: BlobStore

    package init(_ blobs: BlobStore) { self.blobs = blobs }

    /// Checks the model at `path` and copies it into the store. Errors call it "the base model".
    ///
    /// - Returns: The stored model.
    /// - Throws: `CoordinatorError` if the file cannot be a base model, or an error of the file or the store.
    package func add(_ path: String) throws -> ModelReference {
        let name = "the base model \(path)", copy = try BlobWriter(blobs)
        // Check the copy, not the original, which may change meanwhile.
        try SafetensorsFile(path: path, called: name).copy(to: copy)
        let file = try SafetensorsFile(copy, called: name)
        try Self.check(file)
        let (digest, byteCount) = try copy.publish()
        return ModelReference(digest: digest, layout: Digest(of: file.layout.canonicalBytes), byteCount: byteCount)
    }

    /// Throws unless the file can be a base model; reads all of it.
    ///
    /// - Throws: `CoordinatorError` if a tensor is not float32 or there are no values, `NotFiniteError` if a value is
    ///   not finite.
    package static func check(_ file: SafetensorsFile) throws {
        let name = file.name.isEmpty ? "the base model" : file.name
        if let odd = file.layout.tensors.first(where: { $0.type != .f32 }) {
            throw CoordinatorError(
                "\(name) has \(odd.name) in \(odd.type.rawValue); expected F32",
                hint: "a base model is float32 in this version: convert it"
            )
        }
        guard file.layout.elementCount > 0 else { throw CoordinatorError("\(name) contains no values") }
        try file.checkFinite()
    }
}
