import Blobs
import Tensors

/// An adapter belongs to one base model; on another one it does harm.
enum AdapterBase {
    static func digest(of model: String) throws -> String { try BlobStore.digest(ofFile: model).digest.hex }

    /// Adapters made here say which base they belong to; others may not.
    static func check(_ adapter: PEFTAdapter, _ base: String, isForced: Bool) throws {
        guard let wanted = adapter.baseDigest, !isForced else { return }
        let found = try digest(of: base)
        guard wanted == found else {
            throw UsageError(
                "the adapter belongs to the model \(wanted.prefix(12)), and \(base) is \(found.prefix(12))",
                hint: "apply it to its own base; kumiai adapter merge --force folds it in all the same")
        }
    }
}
