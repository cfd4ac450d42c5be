import Identity
import Tensors

/// An adapter belongs to one base model; applied to another model, it damages that model.
enum AdapterBase {
    /// Opens the base model; errors name it as such.
    static func open(_ path: String) throws -> SafetensorsFile {
        try SafetensorsFile(path: path, called: "the base model \(path)")
    }

    /// SHA-256 of a model's file.
    static func digest(of model: SafetensorsFile) throws -> String {
        let hash = SHA256()
        try model.forEachBlock { hash.update($0) }
        return hash.finish().hex
    }

    /// Why the adapter does not belong to the base; `nil` if it does, or if it does not name its base. Adapters made by
    /// this program name it; others may not.
    static func mismatch(_ adapter: PEFTAdapter, _ base: SafetensorsFile) throws -> String? {
        guard let expected = adapter.baseDigest else { return nil }
        let found = try digest(of: base)
        return expected == found
            ? nil : "the adapter belongs to the model \(expected.prefix(12)), and \(base.name) is \(found.prefix(12))"
    }

    static func check(_ adapter: PEFTAdapter, _ base: SafetensorsFile) throws {
        guard let mismatch = try mismatch(adapter, base) else { return }
        throw UsageError(
            mismatch,
            hint: "name the base model that the adapter was made for; kumiai adapter merge --force merges it anyway"
        )
    }
}
