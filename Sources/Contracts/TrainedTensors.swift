import Federation
import Tensors

/// The tensors that a round trains: those of the base model, or the factors of a separate adapter.
public struct TrainedTensors: Equatable, Sendable {
    /// `nil` if the whole model is trained.
    public let lora: LoRA?
    /// The layout of the base model.
    public let base: TensorLayout
    public let round: Int

    /// Creates the description of what a round trains.
    ///
    /// - Parameters:
    ///   - training: The plan's training, which says whether there is an adapter.
    ///   - base: The layout of the base model.
    ///   - round: The round, from 1; with some adapters it decides which factors are trained.
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

    /// The layout of the global adapter, with the plan's rank; `nil` if the whole model is trained.
    public var adapter: AdapterLayout? { lora.map { AdapterLayout(base: base, rank: $0.rank, targets: $0.targets) } }

    /// Returns the part of the adapter that a site with this rank changes in this round; `nil` if the whole model is
    /// trained.
    ///
    /// - Parameter rank: The rank of the site's adapter, from 1 to the plan's.
    public func part(rank: Int) -> AdapterLayout? {
        lora.map { AdapterLayout(base: base, rank: rank, targets: $0.targets, factors: factors ?? .both) }
    }

    /// The layout of a change: one value for each trained value, in this order.
    ///
    /// - Parameter rank: The rank of the site's adapter if it is smaller than the plan's; `nil` for the plan's rank.
    /// - Returns: The layout, in float32.
    public func layout(rank: Int? = nil) -> TensorLayout {
        lora.map { part(rank: rank ?? $0.rank)!.layout } ?? base.asFloat32
    }
}
