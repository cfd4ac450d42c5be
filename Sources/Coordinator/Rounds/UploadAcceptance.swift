import Blobs
import Federation

extension IncomingBlobs {
    /// Puts a sound update where the round will look for it; before its entry is written, so that no entry names a blob
    /// that is not there. What the inspection comes to where that cannot be done.
    package func accept(_ update: UpdateManifest, _ inspection: Inspection) -> Inspection {
        guard case .sound = inspection else { return inspection }
        do {
            try publish(update.update, of: update.site)
            return inspection
        } catch let error as BlobError where error.code == .missing {
            // The sweep has passed by while it was read, or the same update was accepted a moment ago.
            return .unsound(UpdateRefusal(.blobMissing, "blob \(update.update.short) is not here any more"))
        } catch {
            return .unavailable("the coordinator cannot keep the update on its disk: \(error)")
        }
    }

    /// Ends the acceptances that a kill, or a write that failed, cut short: what the open round has taken in is the
    /// shared store's. Returns the sites and their digests.
    @discardableResult
    package func settle(_ state: ConsortiumState, _ blobs: BlobStore) -> [BlobSweeper.Place] {
        guard let inheritance = state.campaign?.round.inheritance else { return [] }
        let manifests = (Array(inheritance.accepted.values) + inheritance.late.values).map(\.update.manifest).filter {
            blobs.contains($0.update)
        }
        .sorted { ($0.update, $0.site) < ($1.update, $1.site) }
        for manifest in manifests { remove(manifest.update, of: manifest.site) }
        return manifests.map { BlobSweeper.Place(digest: $0.update, site: $0.site) }
    }
}
