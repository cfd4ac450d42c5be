import Blobs
import Federation
import Identity
import Tensors
import Updates
import Verification

/// Inspects a submitted update: its signature, its file and all of its values.
package struct UpdateInspection: Sendable {
    let blobs: BlobStore
    /// The submitting site's own uploads: a site must not learn from an answer whether another site has sent the same
    /// blob.
    let uploads: BlobStore
    let plan: Plan
    let roots: TrustRoots
    /// The scan made when the update arrived; if `nil`, the file is read.
    let scanned: ScannedUpdate?

    package init(blobs: BlobStore, uploads: BlobStore, plan: Plan, roots: TrustRoots, scanned: ScannedUpdate? = nil) {
        self.scanned = scanned
        self.blobs = blobs
        self.uploads = uploads
        self.plan = plan
        self.roots = roots
    }

    /// - Parameter certificate: The client certificate of the connection.
    package func inspect(_ update: SignedUpdate, certificate: Certificate, at now: Timestamp) -> Inspection {
        do {
            if let refusal = try signatureRefusal(update, certificate, at: now) { return .unsound(refusal) }
            return try inspectTensors(update.manifest)
        } catch let error as Unavailable {
            return .unavailable(error.description)
        } catch {
            return .unavailable("the coordinator cannot read the update from its disk: \(error)")
        }
    }

    private func signatureRefusal(_ update: SignedUpdate, _ certificate: Certificate, at now: Timestamp) throws
        -> UpdateRefusal?
    {
        do {
            let sender = try sender(certificate, at: now)
            // A certificate may be renewed between signature and connection: it is enough that both belong to the same
            // site.
            guard sender.site == update.manifest.site else {
                return UpdateRefusal(.badSignature, "the update was not signed by the site of this connection")
            }
            try UpdateSignature.verify(update, consortium: sender.consortium, roots: roots, at: now)
        } catch let error as VerificationError {
            return UpdateRefusal(.badSignature, error.message)
        } catch let error as IdentityError where error.code == .revocationList {
            // The coordinator is at fault, not the site.
            throw Unavailable(description: "the coordinator cannot check certificates: \(error)")
        } catch let error as Unavailable {
            throw error
        } catch {
            return UpdateRefusal(.badSignature, "the certificate that signed the update is not valid now: \(error)")
        }
        return nil
    }

    /// Returns the principal of the connection. If its certificate has just expired, the connection is about to close:
    /// this is not the update's fault, and the site submits it again over the next connection.
    private func sender(_ certificate: Certificate, at now: Timestamp) throws -> Principal {
        do {
            return try roots.verify(certificate, at: now)
        } catch let error as IdentityError
            where [.expired, .notYetValid, .revoked, .authorityEnded].contains(error.code)
        {
            throw Unavailable(description: "the certificate of this connection is not valid now: \(error)")
        }
    }

    /// A failure that is not the update's fault.
    private struct Unavailable: Error, CustomStringConvertible { let description: String }

    private func inspectTensors(_ manifest: UpdateManifest) throws -> Inspection {
        // Check first what the site can fix by itself: a missing blob.
        if let absence = UpdateContents.absence(of: manifest, in: uploads) { return .unsound(absence) }
        guard let base = plan.model?.digest else { return .unavailable("the campaign has no base model") }
        let contents = try UpdateContents(plan.training, plan.compression, base: baseLayout(base))
        do { return try contents.inspect(manifest, in: uploads, scanned: scanned) } catch let error as BlobError
            where error.code == .damaged
        {
            // Otherwise the same bytes would count as complete when the site offers them again.
            try uploads.setAside(manifest.update)
            let message = "blob \(manifest.update.short) was damaged on the coordinator's disk; send it again"
            return .unsound(UpdateRefusal(.blobMissing, message))
        }
    }

    private func baseLayout(_ base: Digest) throws -> TensorLayout {
        do {
            return try SafetensorsFile(blobs, base).layout
        } catch let error as SafetensorsError {
            // The coordinator is at fault, not the site.
            throw Unavailable(description: "the base model cannot be read: \(error)")
        }
    }
}
