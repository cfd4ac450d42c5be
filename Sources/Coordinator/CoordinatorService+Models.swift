import Blobs
import Federation
import Foundation
import Ledger
import Releases
import Tensors
import Wire

/// Models and releases for those who fetch them, and models that operators register.
extension CoordinatorService {
    /// The files of a model or a release, and the entry that registered it.
    func listing(of name: ModelName) async throws -> ModelListing {
        let state = machine.state
        guard let model = state.models[name], let index = state.modelEntries[name] else {
            let known = state.models.keys.map(\.text).sorted().suffix(10).joined(separator: ", ")
            throw Refusal(.notFound, "there is no model or release \(name)", hint: "there are these: \(known)")
        }
        let proof = try receipt(of: index)
        guard state.releases.contains(where: { $0.name == name }) else {
            let file = ModelListing.File(path: "model.safetensors", blob: BlobReference(digest: model.digest, byteCount: model.byteCount))
            return ModelListing(name: name, files: [file], proof: proof)
        }
        return ModelListing(name: name, files: try await filesOfRelease(name), proof: proof)
    }

    private func filesOfRelease(_ name: ModelName) async throws -> [ModelListing.File] {
        if let known = releaseFiles[name] { return known }
        let release = ReleaseDirectory(path: "\(files.releases)/\(name)")
        guard FileManager.default.fileExists(atPath: release.path) else {
            throw Refusal(
                .unavailable, "the release \(name) is in the ledger, and its directory is not here",
                hint: "an operator cuts it again: kumiai release cut \(name)")
        }
        let found = try await workers.runIfActive { try release.files().map { ModelListing.File(path: $0.name, blob: $0.blob) } }
        releaseFiles[name] = found
        return found
    }

    /// Where the bytes of a blob lie that anybody of the consortium may fetch; `nil`: there is none of this digest.
    func source(of digest: Digest) async throws -> FetchSource? {
        if mayFetch(digest) { return .blob }
        for release in machine.state.releases {
            guard let files = try? await filesOfRelease(release.name), let file = files.first(where: { $0.blob.digest == digest }) else { continue }
            return .file("\(self.files.releases)/\(release.name)/\(file.path)")
        }
        return nil
    }

    /// An operator begins to send a model: older ones that were never registered may have to make room for it.
    func modelArrives(_ digest: Digest, from operatorName: String) throws {
        for replaced in try arrivals.begin(digest, from: operatorName) {
            arrivingModels.remove(replaced)
            arrivingModels.removeUnfinished(replaced)
            logger.notice("a model that was sent and not registered was removed", metadata: ["model": "\(replaced.short)", "by": "\(operatorName)"])
        }
    }

    /// What an upload says of the room on the disk.
    func noteRoom(isFull: Bool) { isDiskFull = isFull }

    func modelArrived(_ digest: Digest) { arrivals.end(digest) }

    /// Registers a model that an operator has sent. The same request again is answered as the first time.
    func register(_ name: ModelName, _ blob: BlobReference, by operatorName: String) async throws -> ServerMessage {
        if let known = machine.state.models[name], let index = machine.state.modelEntries[name] {
            guard known.digest == blob.digest else { throw Refusal(.conflict, "\(name) is registered already, and is another model") }
            return .recorded(index: index)
        }
        try requireHeard()
        let (arriving, blobs) = (arrivingModels, blobs)
        guard arriving.byteCount(of: blob.digest) == blob.byteCount else {
            throw Refusal(.notFound, "the model \(blob.digest.short) was not sent, or has another size", hint: "kumiai model import sends it first")
        }
        let model = try await workers.runIfActive { () throws -> ModelReference in
            do {
                let file = try SafetensorsFile(path: arriving.path(of: blob.digest), called: "the model")
                try ModelImport.check(file)
                let layout = Digest(of: file.layout.canonicalBytes)
                try blobs.adopt(arriving.path(of: blob.digest))
                return ModelReference(digest: blob.digest, layout: layout, byteCount: blob.byteCount)
            } catch let error as BlobError {
                throw Refusal(.unavailable, "the model cannot be kept: \(error)", hint: "make room on the coordinator's disk")
            } catch {
                throw Refusal(.invalid, "\(error)", hint: (error as? CoordinatorError)?.hint ?? "")
            }
        }
        do {
            try decideOrThrow { core, now in try core.decide { try $0.register(name, model, by: operatorName, at: now) } }
        } catch let error as LedgerViolation {
            throw Refusal(.conflict, "\(name) cannot be registered: the request \(error.message)")
        }
        arrivals.registered(blob.digest)
        logger.info("model registered", metadata: ["name": "\(name)", "model": "\(model.digest.short)", "by": "\(operatorName)"])
        return .recorded(index: machine.state.modelEntries[name]!)
    }
}

/// Where bytes that are fetched lie.
enum FetchSource: Sendable {
    case blob
    /// A file of a release.
    case file(String)
}
