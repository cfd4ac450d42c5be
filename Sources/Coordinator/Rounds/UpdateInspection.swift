import Blobs
import Federation
import Identity
import Tensors
import Updates

/// Looks at a submitted update: its signature, its file, every one of its values.
package struct UpdateInspection: Sendable {
    let blobs: BlobStore
    /// What the submitting site itself has sent: that another has sent the same is none of its business.
    let uploads: BlobStore
    let plan: Plan
    let roots: TrustRoots

    package init(blobs: BlobStore, uploads: BlobStore, plan: Plan, roots: TrustRoots) {
        self.blobs = blobs
        self.uploads = uploads
        self.plan = plan
        self.roots = roots
    }

    /// `certificate`: the one that the connection was made with.
    package func inspect(_ update: SignedUpdate, certificate: Certificate, at now: Timestamp) -> Inspection {
        do {
            if let refusal = signatureRefusal(update, certificate, at: now) { return .unsound(refusal) }
            return try inspectTensors(update.manifest)
        } catch let error as SafetensorsError {
            return .unsound(UpdateRefusal(.malformed, "\(error)"))
        } catch {
            return .unavailable("the coordinator cannot read the update from its disk: \(error)")
        }
    }

    private func signatureRefusal(_ update: SignedUpdate, _ certificate: Certificate, at now: Timestamp) -> UpdateRefusal? {
        guard update.certificate == certificate.der else {
            return UpdateRefusal(.badSignature, "the update was not signed with the certificate of this connection")
        }
        do {
            // Again, and without intermediates: the ledger keeps the leaf alone, and an auditor must be able to check it.
            _ = try roots.verify(certificate, at: now)
            let key = try certificate.publicKey
            guard key.isP256, key.isValid(update.signature, for: update.statement) else {
                return UpdateRefusal(.badSignature, "the signature of the manifest is wrong, or not ECDSA P-256")
            }
        } catch {
            return UpdateRefusal(.badSignature, "the site's certificate does not hold now: \(error)")
        }
        return nil
    }

    private func inspectTensors(_ manifest: UpdateManifest) throws -> Inspection {
        guard uploads.byteCount(of: manifest.update) == manifest.updateByteCount else {
            return .unsound(UpdateRefusal(.blobMissing, "blob \(manifest.update.short) was not uploaded, or has another size"))
        }
        guard let base = plan.model?.digest else { return .unavailable("the campaign has no base model") }
        let format = UpdateFormat(plan.training, base: try baseLayout(base), round: manifest.key.round)
        let file = try SafetensorsFile(uploads, manifest.update)
        let norm: Double
        do {
            norm = try format.reader(file).inspectedNorm()
        } catch let error as UpdateFormatError {
            return .unsound(UpdateRefusal(.wrongLayout, error.message))
        }
        guard norm.isFinite else { return .unsound(UpdateRefusal(.notFinite, "the update has values that are not finite")) }
        return .sound(norm: norm)
    }

    private func baseLayout(_ base: Digest) throws -> TensorLayout {
        do {
            return try SafetensorsFile(blobs, base).layout
        } catch let error as SafetensorsError {
            // The coordinator's fault, and not the site's.
            throw BaseUnreadable(description: "the base model cannot be read: \(error)")
        }
    }

    private struct BaseUnreadable: Error, CustomStringConvertible { let description: String }
}
