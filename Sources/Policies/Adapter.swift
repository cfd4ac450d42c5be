import Contracts
import LinearAlgebra
import Tensors

/// A LoRA adapter for a policy: its factors are trained while the policy's own weights do not change (Hu 2022,
/// arXiv:2106.09685).
package struct Adapter: Sendable {
    package let layout: AdapterLayout
    /// The factor in W + scale·B·A: α/rank or α/√rank.
    package let scale: Float
    /// The factors that training may change.
    package let trained: AdapterFactors
    /// All factors, in the order of the layout.
    package var values: [Float]

    package init(_ layout: AdapterLayout, scale: Float, trained: AdapterFactors = .both, values: [Float]) {
        precondition(values.count == layout.layout.elementCount)
        self.layout = layout
        self.scale = scale
        self.trained = trained
        self.values = values
    }

    /// The ranges of ``values`` with the factors that training may change.
    var trainedRanges: [Range<Int>] { layout.ranges(of: trained) }

    /// Returns the policy with the adapter folded into its weights.
    package func folded(into policy: Policy) -> Policy {
        var folded = policy
        fold(into: &folded.weights, base: policy.weights)
        return folded
    }

    /// Sets weights = base + scale·B·A in the modules that have an adapter; other weights do not change.
    func fold(into weights: inout [Float], base: [Float]) {
        weights.withUnsafeMutableBufferPointer { weights in
            base.withUnsafeBufferPointer { base in
                values.withUnsafeBufferPointer { values in
                    for module in layout.modules {
                        let start = module.weight.lowerBound
                        (weights.baseAddress! + start).update(
                            from: base.baseAddress! + start,
                            count: module.weight.count
                        )
                        BLAS.multiply(
                            values.baseAddress! + module.b.lowerBound,
                            layout.rank,
                            values.baseAddress! + module.a.lowerBound,
                            module.inputs,
                            into: weights.baseAddress! + start,
                            module.inputs,
                            m: module.outputs,
                            n: module.inputs,
                            k: layout.rank,
                            scale: scale,
                            adding: true
                        )
                    }
                }
            }
        }
    }
}
