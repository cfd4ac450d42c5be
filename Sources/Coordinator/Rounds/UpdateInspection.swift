import Blobs
import Federation
import Identity
import Tensors
import Updates
import Verification

/// Looks at a submitted update: its signature, its file, every one of its values.
package struct UpdateInspection: Sendable {
    let blobs: BlobStore
    /// What the submitting site itself has sent: that another has sent the same is none of its business.
    let uploads: BlobStore
    let plan: Plan
    let roots: TrustRoots
    /// What was seen of it when it arrived; `nil`: it is read.
    let scanned: ScannedUpdate?

    package init(blobs: BlobStore, uploads: BlobStore, plan: Plan, roots: TrustRoots, scanned: ScannedUpdate? = nil) {
        self.scanned = scanned
        self.blobs = blobs
        self.uploads = uploads
        self.plan = plan
        self.roots = roots
    }

    /// `certificate`: the one that the connection was made with.
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
            // A certificate may be renewed between the signature and the connection: it is enough that both are of one
            // site.
            guard sender.site == update.manifest.site else {
                return UpdateRefusal(.badSignature, "the update was not signed by the site of this connection")
            }
            try UpdateSignature.verify(update, consortium: sender.consortium, roots: roots, at: now)
        } catch let error as VerificationError {
            return UpdateRefusal(.badSignature, error.message)
        } catch let error as IdentityError where error.code == .revocationList {
            // The coordinator's fault, and not the site's.
            throw Unavailable(description: "the coordinator cannot check certificates: \(error)")
        } catch let error as Unavailable {
            throw error
        } catch {
            return UpdateRefusal(.badSignature, "the certificate that signed the update does not hold now: \(error)")
        }
        return nil
    }

    /// Whose connection it is. One whose certificate has just ended is about to end too: the update is not to blame,
    /// and comes again over the next connection.
    private func sender(_ certificate: Certificate, at now: Timestamp) throws -> Principal {
        do {
            return try roots.verify(certificate, at: now)
        } catch let error as IdentityError
            where [.expired, .notYetValid, .revoked, .authorityEnded].contains(error.code)
        {
            throw Unavailable(description: "the certificate of this connection does not hold now: \(error)")
        }
    }

    /// Nothing that the update is to blame for.
    private struct Unavailable: Error, CustomStringConvertible { let description: String }

    private func inspectTensors(_ manifest: UpdateManifest) throws -> Inspection {
        // What the site can cure comes before what it cannot.
        if let absence = UpdateContents.absence(of: manifest, in: uploads) { return .unsound(absence) }
        guard let base = plan.model?.digest else { return .unavailable("the campaign has no base model") }
        return try UpdateContents(plan.training, plan.compression, base: baseLayout(base)).inspect(
            manifest,
            in: uploads,
            scanned: scanned
        )
    }

    private func baseLayout(_ base: Digest) throws -> TensorLayout {
        do {
            return try SafetensorsFile(blobs, base).layout
        } catch let error as SafetensorsError {
            // The coordinator's fault, and not the site's.
            throw Unavailable(description: "the base model cannot be read: \(error)")
        }
    }
}
