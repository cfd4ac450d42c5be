import Blobs
import Federation
import Foundation
import Tensors

/// Error feedback: the part of a site's updates that compression left out (the rest), which is added to the next update
/// (Stich 2018, arXiv:1809.07599).
///
/// Each round has its own file, so that a round that is trained again adds the same rest, and no rest is added twice.
struct ErrorFeedback {
    let directory: String
    let campaign: CampaignID
    /// The layout of the updates; a rest of another layout is not used.
    let layout: Digest
    let count: Int

    private static let prefix = "feedback-"
    private var rests: TensorLayout { TensorLayout([("rest", .f32, [count])]) }

    /// Returns the rest that is added to the update of `round`: the newest one of an earlier round with the same
    /// layout; `nil` if there is none.
    func rest(before round: Int) -> (any ValueSource)? {
        for earlier in rounds.filter({ $0 < round }).reversed() {
            guard let file = try? SafetensorsFile(path: path(earlier)), file.layout == rests,
                file.header[metadata: "campaign"] == campaign.text, file.header[metadata: "layout"] == layout.hex,
                (try? file.checkFinite()) != nil, let values = try? FileValues(file)
            else { continue }
            return values
        }
        return nil
    }

    /// Stores the rest of `round` durably. The two before it are kept: for the other factor of an adapter, and in case
    /// this round is trained again.
    ///
    /// - Throws: An error if it cannot be stored.
    func keep(_ rest: any ValueSource, of round: Int) throws {
        let draft = path(round) + ".new"
        let metadata = [(name: "campaign", value: campaign.text), (name: "layout", value: layout.hex)]
        let writer = try SafetensorsWriter(path: draft, layout: rests, metadata: metadata)
        try rest.forEachBlock { try writer.append($0) }
        try writer.finish()
        try SystemDisk().rename(draft, to: path(round))
        // Durable before the update is published: an update without its new rest would make the old rest count twice.
        try SystemDisk().synchronise(directory: directory)
        for old in rounds.filter({ $0 < round }).dropLast(2) { unlink(path(old)) }
        for later in rounds where later > round { unlink(path(later)) }
    }

    /// Removes the rest of `round`, whose update never counted. The next update uses the rest before it.
    static func forget(round: Int, in directory: String) { unlink(path(round, in: directory)) }

    private func path(_ round: Int) -> String { Self.path(round, in: directory) }
    private static func path(_ round: Int, in directory: String) -> String { "\(directory)/\(prefix)\(round)" }

    /// The rounds with a stored rest, in ascending order.
    private var rounds: [Int] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
            .compactMap { $0.hasPrefix(Self.prefix) ? Int($0.dropFirst(Self.prefix.count)) : nil }.sorted()
    }
}
