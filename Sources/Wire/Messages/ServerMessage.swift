import Federation
import KumiaiProto

/// A message from the coordinator to a client.
// Indirect: a message is passed through many tasks, each of which would reserve space for the largest case.
public indirect enum ServerMessage: Sendable {
    case welcome(Welcome)
    case refusal(Refusal)
    case heartbeatSeen(Timestamp)
    case assignment(Assignment)
    /// `consistencyProof` shows that the receipt's tree head extends the one that the site has seen.
    case receipt(Receipt, consistencyProof: [Digest] = [])
    case updateRefused(UpdateRefusal)
    case blobProgress(durable: UInt64, complete: Bool)
    case blobStart(byteCount: UInt64)
    case blobChunk(BlobChunk)
    case campaignAccepted(CampaignID, index: UInt64)
    /// `discardedEnergy` is the fraction of the change's energy that the requested adapter does not represent, 0 to 1.
    case releaseReady(ModelName, model: Digest, directory: String, discardedEnergy: Double?)
    case updatesRemoved(RemovalReport)
    /// Whether the coordinator's ledger holds the entry of the receipt that was shown.
    case receiptSeen(isHeld: Bool)
    case modelDescription(ModelListing)
    /// The entry that resulted from an operator's request.
    case recorded(index: UInt64)
    case status(StatusReport)
}

/// A server's message; `inReplyTo` is 0 for unsolicited messages.
public struct ServerFrame: Sendable {
    public let inReplyTo: UInt64
    public let message: ServerMessage

    /// Creates a frame.
    ///
    /// - Parameters:
    ///   - inReplyTo: The number of the client's message that this one answers; 0 for an unsolicited message.
    ///   - message: The message.
    public init(inReplyTo: UInt64, _ message: ServerMessage) {
        self.inReplyTo = inReplyTo
        self.message = message
    }
}
