import Federation
import Tensors

/// Which tensors a round trains: those of the base model, or the factors of an adapter beside it.
public struct TrainedTensors: Equatable, Sendable {
    /// `nil`: the whole model is trained.
    public let lora: LoRA?
    /// The layout of the base model.
    public let base: TensorLayout
    public let round: Int

    public init(_ training: Training, base: TensorLayout, round: Int) {
        lora = training.lora
        self.base = base
        self.round = round
    }

    /// The factors that sites train in this round; `nil` if the whole model is trained.
    public var factors: AdapterFactors? {
        lora.map { lora in
            var factors: AdapterFactors = []
            if lora.trainsA(round: round) { factors.insert(.a) }
            if lora.trainsB(round: round) { factors.insert(.b) }
            return factors
        }
    }

    /// The global adapter, of the plan's rank.
    public var adapter: AdapterLayout? { lora.map { AdapterLayout(base: base, rank: $0.rank, targets: $0.targets) } }

    /// The part of an adapter that the update of a site with this rank changes.
    public func part(rank: Int) -> AdapterLayout? {
        lora.map { AdapterLayout(base: base, rank: rank, targets: $0.targets, factors: factors ?? .both) }
    }

    /// The tensors of a change.
    ///
    /// - Parameter rank: of a site that trains fewer components of the adapter than the plan's; `nil`: the plan's.
    public func layout(rank: Int? = nil) -> TensorLayout {
        lora.map { part(rank: rank ?? $0.rank)!.layout } ?? base
    }
}
