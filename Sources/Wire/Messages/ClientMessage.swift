import Federation
import KumiaiProto

/// A message from a client to the coordinator.
// Indirect: a message is passed through many tasks, each of which would reserve space for the largest case.
public indirect enum ClientMessage: Sendable {
    case hello(Hello)
    case heartbeat(Heartbeat)
    /// `seenEntries` is the size of the newest tree head that the site has seen.
    case submitUpdate(SignedUpdate, seenEntries: UInt64 = 0)
    case offerBlob(Digest, byteCount: UInt64)
    case blobChunk(BlobChunk)
    case fetchBlob(Digest, offset: UInt64)
    /// `abandonsRelease`: also if the last campaign has committed rounds but no release, which can then never be cut.
    case openCampaign(Plan, abandonsRelease: Bool = false)
    /// Asks whether a campaign could be opened with this plan; opens nothing.
    case checkPlan(Plan, abandonsRelease: Bool = false)
    /// `round` is a committed round; `nil` is the last one of a completed campaign. `adapterRank` is the rank of an
    /// adapter to write beside the model; 0 for none.
    case cutRelease(ModelName, round: Int?, adapterRank: Int)
    case changeCampaign(CampaignChange)
    /// Registers a model whose blob was uploaded on this connection.
    case registerModel(ModelName, BlobReference)
    case declareLoss(reason: String)
    case correctClock(reason: String)
    /// Shows the receipt of an entry that the coordinator's ledger lacks.
    case presentReceipt(Receipt)
    case describeModel(ModelName)
    case pruneUpdates(dryRun: Bool)
    case getStatus
    case goodbye(reason: String)

    /// The name in the .proto file, for logs.
    public var name: String {
        switch self {
        case .hello: "hello"
        case .heartbeat: "heartbeat"
        case .submitUpdate: "submit_update"
        case .offerBlob: "offer_blob"
        case .blobChunk: "blob_chunk"
        case .fetchBlob: "fetch_blob"
        case .openCampaign, .checkPlan: "open_campaign"
        case .cutRelease: "cut_release"
        case .pruneUpdates: "prune_updates"
        case .changeCampaign: "change_campaign"
        case .registerModel: "register_model"
        case .declareLoss: "declare_loss"
        case .correctClock: "correct_clock"
        case .presentReceipt: "present_receipt"
        case .describeModel: "describe_model"
        case .getStatus: "get_status"
        case .goodbye: "goodbye"
        }
    }
}

/// A client's message with the number that its response repeats.
public struct ClientFrame: Sendable {
    public let id: UInt64
    public let message: ClientMessage

    /// Creates a frame.
    ///
    /// - Parameters:
    ///   - id: The number that the response repeats, from 1: 0 stands for no message.
    ///   - message: The message.
    public init(id: UInt64, _ message: ClientMessage) {
        self.id = id
        self.message = message
    }
}
