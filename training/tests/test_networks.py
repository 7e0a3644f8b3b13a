"""What the networks promise beyond their shapes, and that an export can be repeated."""

import unittest

import numpy as np
import torch
from torch.nn.functional import relu

from algospace_train import export, masks, parity, two_parts
from algospace_train.networks import Networks, untrained


def tensors(inputs: parity.Tensors) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in inputs.items()}


class NetworksKeepTheirPromises(unittest.TestCase):
    def setUp(self):
        self.networks: Networks = untrained(7)
        self.random = np.random.default_rng(1)

    @torch.inference_mode()
    def test_the_core_equals_a_full_evaluation_per_agent_and_pass(self):
        core = self.networks.core
        inputs = tensors(parity.random_inputs(core, self.random, masks.masks(7, 0, 5)))
        logits = core(**inputs)
        embeddings = (inputs["structure"], inputs["tactical"], relu(core.regime_embedding(inputs["regime"])))
        for agent, embedding in enumerate(embeddings):
            one_hot = torch.zeros(1, 3)
            one_hot[0, agent] = 1.0
            context = relu(core.context(inputs["context"]))
            seen = torch.cat((embedding, inputs["regime"], context, inputs["account"], one_hot), dim=1)
            for number in range(5):
                hidden = relu(core.first(seen)) * inputs["mask_1"][agent, number]
                hidden = relu(core.second(hidden)) * inputs["mask_2"][agent, number]
                torch.testing.assert_close(core.logits(hidden)[0], logits[agent, number])

    @torch.inference_mode()
    def test_a_batch_equals_its_decisions_one_by_one(self):
        for name, network in self.networks.named_children():
            cases = [tensors(case) for case in parity.random_cases(network, self.random, [4, 4, 4], 7)]
            batch = {key: torch.cat([case[key] for case in cases]) for key in network.INPUTS}
            together, apart = network(**batch), [network(**case) for case in cases]
            if name != "risk":
                together, apart = (together,), [(output,) for output in apart]
            for number, output in enumerate(together):
                torch.testing.assert_close(output, torch.cat([one[number] for one in apart]))

    @torch.inference_mode()
    def test_risk_stays_within_its_ranges(self):
        huge = {name: torch.full(shape, 1e6) for name, shape in self.networks.risk.INPUTS.items()}
        for sign in (-1.0, 1.0):
            size, stop, reward = self.networks.risk(**{name: value * sign for name, value in huge.items()})
            self.assertTrue(0.0 <= size.item() <= 1.0)
            self.assertTrue(0.5 <= stop.item() <= 3.0)
            self.assertTrue(1.0 <= reward.item() <= 5.0)

    def test_the_decoder_reconstructs_a_window_and_every_weight_learns(self):
        regime = self.networks.regime
        matrix = torch.from_numpy(parity.random_inputs(regime, self.random, ())["matrix"])
        mean, log_variance = regime.posterior(matrix)
        window = regime.reconstruct(mean)
        self.assertEqual(window.shape, matrix.shape)
        (window.square().sum() + log_variance.sum()).backward()
        self.assertEqual([name for name, weight in regime.named_parameters() if weight.grad is None], [])

    def test_an_untrained_set_is_a_function_of_its_seed(self):
        left, right, other = (untrained(seed).state_dict() for seed in (7, 7, 8))
        self.assertTrue(all(torch.equal(left[name], right[name]) for name in left))
        self.assertFalse(torch.equal(left["core.first.weight"], other["core.first.weight"]))

    def test_an_export_can_be_repeated_and_names_no_source_file(self):
        graph = export.graph(self.networks.core)
        self.assertEqual(graph, export.graph(untrained(7).core))
        self.assertNotIn(b".py", graph)

    def test_an_encoder_in_two_parts_gives_what_its_network_gives(self):
        network = self.networks.tactical
        parts = two_parts.split(export.graph(network))
        prefix, step = parity.session(parts["prefix"]), parity.session(parts["step"])
        matrix = parity.random_inputs(network, self.random, ())["matrix"]
        state = parity.onnx_runtime(prefix, {"known": matrix[:, :-1]})
        given = parity.onnx_runtime(step, {"row": matrix[:, -1:], **state})
        self.assertLessEqual(parity.difference(parity.pytorch(network, {"matrix": matrix}), given), parity.TOLERANCE)
        with self.assertRaises(two_parts.NotAnEncoderError):
            two_parts.split(export.graph(self.networks.gate))

    def test_a_value_that_is_not_finite_is_infinitely_far(self):
        right = np.array([0.0, 1.0], dtype=np.float32)
        for bad in (np.nan, np.inf):
            left = {"first": right, "second": np.array([bad, 1.0], dtype=np.float32)}
            self.assertEqual(parity.difference(left, {"first": right, "second": right}), np.inf)

    def test_a_graph_of_other_weights_is_refused(self):
        with self.assertRaises(export.ParityError):
            export.check("gate", self.networks.gate, export.graph(untrained(8).gate), 7)


if __name__ == "__main__":
    unittest.main()
