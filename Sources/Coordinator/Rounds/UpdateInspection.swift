import Aggregation
import Blobs
import Federation
import Identity
import Tensors

/// Looks at a submitted update: its signature, its file, every one of its values.
struct UpdateInspection: Sendable {
    let blobs: BlobStore
    let plan: Plan

    /// `certificate`: the one that the connection was made with.
    func inspect(_ update: SignedUpdate, certificate: Certificate) -> Inspection {
        do {
            if let refusal = try signatureRefusal(update, certificate) { return .unsound(refusal) }
            return try inspectTensors(update.manifest)
        } catch let error as SafetensorsError {
            return .unsound(UpdateRefusal(.malformed, "\(error)"))
        } catch {
            return .unsound(UpdateRefusal(.malformed, "the update cannot be read: \(error)"))
        }
    }

    private func signatureRefusal(_ update: SignedUpdate, _ certificate: Certificate) throws -> UpdateRefusal? {
        guard update.certificate == certificate.der else {
            return UpdateRefusal(.badSignature, "the update was not signed with the certificate of this connection")
        }
        let key = try certificate.publicKey
        guard key.isP256, key.isValid(update.signature, for: update.statement) else {
            return UpdateRefusal(.badSignature, "the signature of the manifest is wrong, or not ECDSA P-256")
        }
        return nil
    }

    private func inspectTensors(_ manifest: UpdateManifest) throws -> Inspection {
        guard blobs.byteCount(of: manifest.update) == manifest.updateByteCount else {
            return .unsound(UpdateRefusal(.blobMissing, "blob \(manifest.update.short) was not uploaded, or has another size"))
        }
        let file = try SafetensorsFile(path: blobs.path(of: manifest.update))
        guard Digest(of: file.layout.canonicalBytes) == plan.model?.layout else {
            return .unsound(UpdateRefusal(.wrongLayout, "the file's tensors are not those of \(plan.base)"))
        }
        let norm = try UpdateInspector.norm(of: file)
        guard norm.isFinite else { return .unsound(UpdateRefusal(.notFinite, "the update has values that are not finite")) }
        return .sound(norm: norm)
    }
}
