import Blobs
import Federation
import Foundation
import Tensors

/// What a compression left out of a site's updates, kept to be added to the next one (Stich 2018, arXiv:1809.07599).
///
/// A file a round: when a round is trained again, it starts from the same rest, and nothing is added twice.
struct ErrorFeedback {
    let directory: String
    let campaign: CampaignID
    /// Of the updates that it belongs to.
    let layout: Digest
    let count: Int

    private static let prefix = "feedback-"
    private var rests: TensorLayout { TensorLayout([("rest", .f32, [count])]) }

    /// The rest that a turn in `round` adds to its update; `nil` if there is none.
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

    /// Keeps the rest of `round`, durably, and the two before it: of the other factor, and to train this round again.
    func keep(_ rest: any ValueSource, of round: Int) throws {
        let draft = path(round) + ".new"
        let metadata = [(name: "campaign", value: campaign.text), (name: "layout", value: layout.hex)]
        let writer = try SafetensorsWriter(path: draft, layout: rests, metadata: metadata)
        try rest.forEachBlock { try writer.append(UnsafeRawBufferPointer($0)) }
        try writer.finish()
        try SystemDisk().rename(draft, to: path(round))
        // The update is published after this, and must not be there without it: the rest would be added twice.
        try SystemDisk().synchronise(directory: directory)
        for old in rounds.filter({ $0 < round }).dropLast(2) { unlink(path(old)) }
        for later in rounds where later > round { unlink(path(later)) }
    }

    /// The update of `round` never counted: the next one starts from the rest before it, in which nothing of that
    /// update is.
    static func forget(round: Int, in directory: String) { unlink(path(round, in: directory)) }

    private func path(_ round: Int) -> String { Self.path(round, in: directory) }
    private static func path(_ round: Int, in directory: String) -> String { "\(directory)/\(prefix)\(round)" }

    /// Ascending.
    private var rounds: [Int] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
            .compactMap { $0.hasPrefix(Self.prefix) ? Int($0.dropFirst(Self.prefix.count)) : nil }.sorted()
    }
}
